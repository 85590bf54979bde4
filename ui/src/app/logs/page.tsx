import { Logs } from "@/features/logs/logs";

export default function Page() {
  return <Logs />;
}
