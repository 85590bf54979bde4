import { Settings } from "@/features/settings/settings";

export default function Page() {
  return <Settings />;
}
