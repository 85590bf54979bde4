import { Nats } from "@/features/nats/nats";

export default function Page() {
  return <Nats />;
}
