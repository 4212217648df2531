// What can go wrong, by what the caller can do about it. Wrong types of arguments are a TypeError.
"use strict";

class HeadroomError extends Error {
  get name() {
    return this.constructor.name;
  }
}
class ConfigError extends HeadroomError {}
class HandleError extends HeadroomError {}
class StoreError extends HeadroomError {}
class ClosedError extends HeadroomError {}
class ProxyError extends HeadroomError {}

const CLASSES = { ConfigError, HandleError, StoreError, ClosedError, ProxyError };

/** The error that the compiled half meant: it writes the name of the class in front. */
function meant(error) {
  const [, name, message] = /^\[(\w+)\] ([^]*)$/.exec(error?.message ?? "") ?? [];
  const Class = CLASSES[name];
  return Class ? new Class(message) : error;
}

/** Calls into the compiled half. */
function native(call) {
  try {
    return call();
  } catch (error) {
    throw meant(error);
  }
}

/** The same for what gives a promise. */
async function nativeLater(call) {
  try {
    return await call();
  } catch (error) {
    throw meant(error);
  }
}

module.exports = { HeadroomError, ...CLASSES, native, nativeLater };
