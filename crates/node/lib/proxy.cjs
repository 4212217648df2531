// `headroom proxy` inside this process.
"use strict";

const { native, nativeLater } = require("./errors.cjs");
const check = require("./arguments.cjs");
const library = require("./native.cjs").load();

const PROVIDERS = ["anthropic", "openai", "gemini"];

class HeadroomProxy {
  constructor(options) {
    const given = check.known("options", options, ["target", "host", "port", "token", "align", ...check.SETTINGS]);
    const several = typeof given.target === "string" ? undefined : check.known("target", given.target, PROVIDERS);
    const parts = {
      target: several ? undefined : given.target,
      host: check.optionalText("host", given.host),
      port: check.whole("port", given.port, 0, 65535),
      token: check.optionalText("token", given.token),
      align: check.optionalText("align", given.align),
    };
    for (const name of PROVIDERS) parts[name] = check.optionalText(`target.${name}`, several?.[name]);
    const settings = check.settings(given);
    this._proxy = native(() => new library.Proxy(settings, parts));
  }

  async start() {
    await nativeLater(() => this._proxy.start());
    return this;
  }

  async stop() {
    await nativeLater(() => this._proxy.stop());
  }

  get url() {
    return native(() => this._proxy.url());
  }

  async stats(hours) {
    const last = check.whole("hours", hours, 0, 2 ** 32 - 1);
    return JSON.parse(await nativeLater(() => this._proxy.stats(last)));
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.stop();
  }
}

module.exports = { HeadroomProxy };
