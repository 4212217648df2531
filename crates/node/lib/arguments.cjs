// Checks of arguments.
"use strict";

const { ConfigError } = require("./errors.cjs");
const library = require("./native.cjs").load();

const kindOf = (value) => (value === null ? "null" : Array.isArray(value) ? "an array" : typeof value);

function refuse(name, expected, value) {
  throw new TypeError(`${name}: expected ${expected}, not ${kindOf(value)}`);
}

/** Half of a surrogate pair is no character, and would not come back as it went in. */
const LONELY = /\p{Surrogate}/u;

function text(name, value) {
  if (typeof value !== "string") refuse(name, "a string", value);
  if (LONELY.test(value)) {
    throw new ConfigError(`${name}: has half of a surrogate pair, which is no text; cut strings between characters, or use toWellFormed()`);
  }
  return value;
}

function optionalText(name, value) {
  return value === undefined || value === null ? undefined : text(name, value);
}

function optionalSwitch(name, value) {
  if (value === undefined || typeof value === "boolean") return value;
  refuse(name, "true or false", value);
}

function whole(name, value, least, most) {
  if (value === undefined) return undefined;
  if (typeof value !== "number") refuse(name, "a number", value);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new ConfigError(`${name}: expected a whole number from ${least} to ${most}, not ${value}`);
  }
  return value;
}

/** Refuses names that mean nothing. */
function known(where, given, names) {
  if (given === undefined) return {};
  if (typeof given !== "object" || given === null || Array.isArray(given)) refuse(where, "an object", given);
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    const meant = library.nearest(name, names);
    const suggestion = meant ? `did you mean "${meant}"? ` : "";
    throw new ConfigError(`${where}: unknown name "${name}"; ${suggestion}known: ${names.join(", ")}`);
  }
  return given;
}

function json(name, value) {
  let written;
  try {
    written = JSON.stringify(value);
  } catch (error) {
    throw new TypeError(`${name}: cannot be written as JSON: ${error.message}`);
  }
  if (written === undefined) refuse(name, "something that can be written as JSON", value);
  return written;
}

function lines(value) {
  if (value === undefined) return [];
  if (typeof value === "string") {
    const parsed = library.parseLines(value);
    if (!parsed) throw new ConfigError(`lines: "${value}" is no range of lines; write "120-180", [120, 180] or 120`);
    return parsed;
  }
  const ends = typeof value === "number" ? [value, value] : value;
  if (!Array.isArray(ends) || ends.length !== 2) refuse("lines", '"120-180", [120, 180] or 120', value);
  return ends.map((end) => whole("lines", end, 1, 2 ** 32 - 1) ?? refuse("lines", '"120-180", [120, 180] or 120', value));
}

const SETTINGS = ["store", "tenant", "project", "compressionConfig", "policy", "retrieval", "ccrEnabled"];

/** What a library and a proxy have in common. */
function settings(options) {
  const config = options.compressionConfig;
  if (config !== undefined && (typeof config !== "object" || config === null)) {
    refuse("compressionConfig", "an object such as { json: { threshold: 1000 } }", config);
  }
  return {
    store: optionalText("store", options.store),
    tenant: optionalText("tenant", options.tenant),
    project: optionalText("project", options.project),
    compressionConfig: config === undefined ? undefined : json("compressionConfig", config),
    policy: optionalText("policy", options.policy),
    retrieval: optionalText("retrieval", options.retrieval),
    ccrEnabled: optionalSwitch("ccrEnabled", options.ccrEnabled),
  };
}

module.exports = { SETTINGS, json, known, lines, optionalText, refuse, settings, text, whole };
