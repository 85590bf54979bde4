import { ServicePage } from "@/features/instances/service-page";

export default function Page() {
  return <ServicePage />;
}
