// A sentence about it. `state` is there; modules are imported as in any other program.
import { basename } from "node:path";

const { kept, total } = state.input;
state.progress(100, "written");
state.output = `${kept} orders, ${total.toFixed(2)} in all, ${state.variables.dropped} dropped (${basename(process.argv[1])})`;
