"use strict";

const { ClosedError, ConfigError, HandleError, HeadroomError, ProxyError, StoreError } = require("./lib/errors.cjs");
const { Headroom, compress } = require("./lib/library.cjs");
const { HeadroomProxy } = require("./lib/proxy.cjs");
const { wrap, wrapFetch } = require("./lib/wrap.cjs");
const { headroomMiddleware } = require("./lib/middleware.cjs");

module.exports = {
  ClosedError,
  ConfigError,
  HandleError,
  Headroom,
  HeadroomError,
  HeadroomProxy,
  ProxyError,
  StoreError,
  compress,
  headroomMiddleware,
  wrap,
  wrapFetch,
};
