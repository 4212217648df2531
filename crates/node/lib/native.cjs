// The compiled half, for the machine this runs on.
"use strict";

const path = require("node:path");

/** The file that holds it: `headroom.linux-x64-gnu.node`. */
function name() {
  const { platform, arch } = process;
  if (platform === "win32") return `headroom.win32-${arch}-msvc.node`;
  if (platform !== "linux") return `headroom.${platform}-${arch}.node`;
  const libc = process.report?.getReport().header.glibcVersionRuntime ? "gnu" : "musl";
  return `headroom.linux-${arch}-${libc}.node`;
}

function load() {
  const file = path.join(__dirname, "..", name());
  try {
    return require(file);
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    throw new Error(`headroom has no build for this machine (${name()} is missing); build it with \`npm run build\` in crates/node`);
  }
}

module.exports = { load, name };
