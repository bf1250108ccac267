// Bundles web/src/protocol in memory, for the engines that run it as the browser does: the code as text.
import { fileURLToPath } from "node:url";
import { rolldown } from "../../web/node_modules/rolldown/dist/index.mjs";

/** The code of a file of web/src/protocol with all that it imports; `format` is "esm", or "iife" with a global `Protocol`. */
export async function bundleOf(name, format) {
  const input = fileURLToPath(new URL(`../../web/src/protocol/${name}`, import.meta.url));
  const bundle = await rolldown({ input, platform: format === "esm" ? "node" : "browser" });
  const { output } = await bundle.generate({ format, name: "Protocol" });
  await bundle.close();
  return output[0].code;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(await bundleOf(process.argv[2], "iife"));
