import { InstancePage } from "@/features/instances/instance-page";

export default function Page() {
  return <InstancePage />;
}
