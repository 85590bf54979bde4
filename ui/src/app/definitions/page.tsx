import { Definitions } from "@/features/definitions/definitions";

export default function Page() {
  return <Definitions />;
}
