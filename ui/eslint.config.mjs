import next from "eslint-config-next/core-web-vitals";
import typescript from "eslint-config-next/typescript";

const config = [
  ...next,
  ...typescript,
  { ignores: [".next/", "out/", "next-env.d.ts", "src/lib/api/schema.d.ts", "test-results/"] },
  { rules: { "max-lines": ["error", 400], eqeqeq: "error", "no-console": "error" } },
  { files: ["tests/**"], rules: { "react-hooks/rules-of-hooks": "off", "@next/next/no-assign-module-variable": "off" } }, // Playwright's "use" is none of React's
  { files: ["scripts/**"], rules: { "no-console": "off" } },
];

export default config;
