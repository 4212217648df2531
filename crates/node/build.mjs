// Compiles the native half for this machine and puts it beside `index.cjs`: `npm run build` before `npm pack`.
import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const { name } = createRequire(import.meta.url)("./lib/native.cjs");

execFileSync("cargo", ["build", "--release", "--locked", "--package", "headroom-node"], { cwd: root, stdio: "inherit" });
const built = { darwin: "libheadroom_node.dylib", win32: "headroom_node.dll" }[process.platform] ?? "libheadroom_node.so";
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
copyFileSync(join(target, "release", built), join(here, name()));
