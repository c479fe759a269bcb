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
  {
    // All words are in src/text: none among what an element holds, or is called.
    files: ["src/ui/**"],
    rules: {
      "no-restricted-syntax": ["error", ...[
        "CallExpression[callee.name=/^(h|note|heading)$/] > .arguments:not(:nth-child(1)):not(:nth-child(2))",
        "CallExpression[callee.name=/^(button|topic)$/] > .arguments:nth-child(2)",
        "CallExpression[callee.name=/^(section|fact|row|said|outside|list)$/] > .arguments",
        "CallExpression[callee.name=/^(h|note|section|fact|list)$/] > ArrayExpression > .elements",
        "CallExpression[callee.name=/^(h|note|section|fact|list)$/] > LogicalExpression > .right",
        "Property[key.value=/^(aria-label|placeholder|title|alt)$/] > .value",
        "Property[key.name=/^(sub|title|closes)$/] > .value",
      ].flatMap((place) => [`${place}[type="Literal"][value=/[a-zA-Z]/]`, `${place}[type="TemplateLiteral"]:has(TemplateElement[value.raw=/[a-zA-Z]/])`])
        .map((selector) => ({ selector, message: "words of the screens are in src/text" }))],
    },
  },
  { files: ["node/**", "test/**", "gallery/**"], rules: { "no-console": "off", "@typescript-eslint/no-base-to-string": "off", "@typescript-eslint/use-unknown-in-catch-callback-variable": "off" } },
);
