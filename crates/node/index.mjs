import headroom from "./index.cjs";

export const {
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
} = headroom;
