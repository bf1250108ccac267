/**
 * What the Web Worker that runs guests gives up before it sees one: network, storage, other workers.
 *
 * A guest has no imports, so it can ask for nothing; this is for the case that the engine itself has a hole. A page's
 * Content-Security-Policy does not reach into a worker: that of its own file does (market/web.py), under which this file
 * may load this origin's code and nothing else. `import()` of that code cannot be taken away from here.
 */
const POWERS = [
  "fetch",
  "fetchLater",
  "XMLHttpRequest",
  "WebSocket",
  "WebSocketStream",
  "WebTransport",
  "EventSource",
  "RTCPeerConnection",
  "indexedDB",
  "IDBFactory",
  "caches",
  "CacheStorage",
  "cookieStore",
  "navigator",
  "importScripts",
  "Worker",
  "SharedWorker",
  "BroadcastChannel",
  "Notification",
  "FileReaderSync",
  "webkitRequestFileSystem",
  "webkitRequestFileSystemSync",
  "webkitResolveLocalFileSystemURL",
  "webkitResolveLocalFileSystemSyncURL",
] as const;

/** Takes these powers from a global object, for good; the names that would not go. */
export function confine(scope: object): string[] {
  for (const name of POWERS) {
    for (let holder: object | null = scope; holder !== null; holder = Reflect.getPrototypeOf(holder) as object | null) {
      Reflect.deleteProperty(holder, name);
    }
    if (name in scope) Reflect.defineProperty(scope, name, { value: undefined, writable: false, configurable: false });
  }
  return POWERS.filter((name) => Reflect.get(scope, name) !== undefined);
}
