// Checks beyond types: promises that nobody waits for, and what the page must
// not do.
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "node_modules"] },
  {
    files: ["**/*.ts"],
    extends: tseslint.configs.strictTypeChecked,
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [{ from: "package", name: ["test", "it", "describe"], package: "node:test" }] }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": "off", // short arrows
      "@typescript-eslint/prefer-promise-reject-errors": "off", // a signal's reason is what it is
      "@typescript-eslint/only-throw-error": "off", // the same
      "@typescript-eslint/no-unnecessary-condition": "off", // browsers have less than the DOM's types say
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/unbound-method": "off", // core and Go programs are objects of functions
      "@typescript-eslint/require-await": "off", // async, so that what throws rejects
      "@typescript-eslint/no-unnecessary-type-parameters": "off", // Eval<T>: who calls says what comes
      "no-restricted-properties": ["error",
        { property: "innerHTML" }, { property: "outerHTML" }, { property: "insertAdjacentHTML" }, { object: "document", property: "write" }],
      "no-eval": "error", "no-implied-eval": "error", "no-new-func": "error", "no-console": ["error", { allow: ["warn"] }],
    },
  },
  { files: ["node/**", "test/**", "gallery/**"], rules: { "no-console": "off", "@typescript-eslint/no-base-to-string": "off", "@typescript-eslint/use-unknown-in-catch-callback-variable": "off" } },
);
