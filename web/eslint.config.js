import jsxA11y from "eslint-plugin-jsx-a11y";
import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

/** Imports point one way: pages -> wallet | device | audit -> chain | api | network | ui -> protocol | storage -> nothing. */
const closed = (files, ...folders) => ({
  files: [`src/${files}/**`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: folders.map((folder) => ({
          group: [`**/${folder}/*`],
          message: `${files} does not import ${folder}`,
        })),
      },
    ],
  },
});

export default tseslint.config(
  { ignores: ["dist", "src/generated"] },
  ...tseslint.configs.strict,
  jsxA11y.flatConfigs.recommended,
  reactHooks.configs.flat["recommended-latest"],
  {
    rules: {
      "@typescript-eslint/restrict-template-expressions": "off",
      "@typescript-eslint/no-extraneous-class": "off",
      eqeqeq: "error",
      "no-console": "error",
      // React Aria's components take autoFocus for dialogs, where it belongs.
      "jsx-a11y/no-autofocus": ["error", { ignoreNonDOM: true }],
    },
  },
  ...["protocol", "storage"].map((folder) =>
    closed(folder, "pages", "app", "wallet", "device", "audit", "chain", "api", "network", "ui"),
  ),
  ...["ui", "api", "network", "chain"].map((folder) => closed(folder, "pages", "app", "wallet", "device", "audit")),
  ...["wallet", "device", "audit"].map((folder) => closed(folder, "pages", "app")),
);
