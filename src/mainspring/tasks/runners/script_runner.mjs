// Runs one Node.js script with `state`. The script's own file is the first argument, its arguments follow.
//
// state.input       the node's input
// state.variables   the instance's variables; what is changed is set when the script ends well
// state.output      assign it: the node's output
// state.progress(percent, text)
//
// A script ends well when nothing is left to do and nothing was thrown, or by process.exit(0).

import { spawnSync } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";

const read = (name) => readFileSync(process.env[name], "utf8");

const state = {
  input: JSON.parse(read("MAINSPRING_INPUT")),
  variables: JSON.parse(read("MAINSPRING_VARIABLES")),
  output: undefined,
  progress(percent, text = "") {
    appendFileSync(process.env.MAINSPRING_PROGRESS, JSON.stringify({ percent, text }) + "\n");
  },
};
const unchanged = Object.entries(state.variables).map(([name, value]) => [name, JSON.stringify(value)]);

// JSON.stringify writes NaN as null and leaves functions out; an output that loses something silently is no output.
function strict(key, value) {
  if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`\`${key}\` is ${value}`);
  if (typeof value === "bigint") throw new TypeError(`\`${key}\` is a BigInt`);
  if (typeof value === "function" || typeof value === "symbol") throw new TypeError(`\`${key}\` is a ${typeof value}`);
  return value;
}

// Only what was changed: JavaScript would write the 1.0 of another language as 1.
function changed() {
  const known = new Map(unchanged);
  const entries = Object.entries(state.variables).filter(([name, value]) => JSON.stringify(value) !== known.get(name));
  return entries.length ? Object.fromEntries(entries) : undefined;
}

function save() {
  for (const [title, valueOf] of [["output", () => state.output], ["variables", changed]]) {
    try {
      const value = valueOf();
      if (value === undefined) continue;
      writeFileSync(process.env[`MAINSPRING_${title.toUpperCase()}`], JSON.stringify(value, strict));
    } catch (error) {
      console.error(`state.${title} cannot be stored as JSON: ${error.message}`);
      return false;
    }
  }
  return true;
}

// The frames that are the script's, then the error itself: the last line on stderr is the error's message.
function fail(error) {
  const known = error instanceof Error;
  const frames = known ? String(error.stack).split("\n").filter((line) => /^\s+at /.test(line)) : [];
  const own = frames.filter((line) => !line.includes("script_runner.mjs") && !line.includes("node:internal"));
  if (own.length) console.error(own.join("\n"));
  if (known && error.cause !== undefined) console.error(`caused by: ${error.cause}`);
  if (error instanceof SyntaxError && !own.length) {
    // Only Node's own check says where.
    const told = spawnSync(process.execPath, ["--check", file], { encoding: "utf8" }).stderr.split("\n");
    if (/:\d+$/.test(told[0])) console.error(`at ${told.slice(0, 3).join("\n")}`);
  }
  console.error(known ? `${error.name}: ${error.message}` : `thrown: ${inspect(error, { breakLength: Infinity })}`);
  failed = true;
  process.exit(1);
}

const file = path.resolve(process.argv[2]);
let failed = false;
process.argv.splice(1, 1);
process.on("uncaughtException", fail);
process.on("exit", (code) => {
  if (code === 0 && !failed && !save()) process.exitCode = 1;
});

globalThis.state = state;
// The modules of the definition's folder, for inline scripts, which lie elsewhere.
globalThis.require ??= createRequire(path.join(process.env.MAINSPRING_FOLDER, "script.js"));
try {
  await import(pathToFileURL(file));
} catch (error) {
  fail(error);
}
