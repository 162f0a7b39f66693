"use strict";

const js = require("@eslint/js");

const names = (list) =>
  Object.fromEntries(list.split(" ").map((name) => [name, "readonly"]));

const browser = names("AbortSignal clearTimeout document fetch location " +
  "setInterval setTimeout URLSearchParams");
const node = names("console process require setTimeout URL");

const rules = {
  ...js.configs.recommended.rules,
  eqeqeq: "error",
  "no-implicit-globals": "off",
  "no-shadow": "error",
  "no-var": "error",
  "prefer-const": "error",
  "no-restricted-properties": ["error",
    { property: "innerHTML", message: "textContent, always." },
    { property: "outerHTML", message: "textContent, always." },
    { property: "insertAdjacentHTML", message: "textContent, always." }],
};

module.exports = [
  { files: ["src/api/page/*.js"], rules,
    languageOptions: { sourceType: "script", globals: browser } },
  { files: ["t/page/*.js"],
    rules: { ...rules, "no-restricted-properties": "off" },
    languageOptions: { sourceType: "commonjs",
      globals: { ...node, ...browser, window: "readonly",
        getComputedStyle: "readonly" } } },
];
