import { Leases } from "@/features/leases/leases";

export default function Page() {
  return <Leases />;
}
