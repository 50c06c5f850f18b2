/** Prints the types of docs/openapi.json: `npm run types`. */

import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const DOCUMENT = new URL("../../../../docs/openapi.json", import.meta.url);
export const TYPES = new URL("../src/wire/openapi.ts", import.meta.url);

/** @returns {Promise<string>} */
export async function printTypes() {
  const document = JSON.parse(readFileSync(DOCUMENT, "utf8"));
  return `/** Generated from docs/openapi.json by \`npm run types\`. */\n\n${astToString(await openapiTS(document))}`;
}

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TYPES, await printTypes());
