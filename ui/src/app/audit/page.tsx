import { Audit } from "@/features/audit/audit";

export default function Page() {
  return <Audit />;
}
