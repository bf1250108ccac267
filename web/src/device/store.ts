/**
 * What a device keeps in this browser: one IndexedDB database for each deployment, so that a device of one network never
 * meets the journal of another. A transaction is all or nothing, also when the browser crashes in it.
 */
import { StorageUnusable } from "./errors.ts";

const VERSION = 1;

/** The object stores: facts by their number, blobs by their id, single values by their name. */
export type Shelf = "facts" | "outputs" | "values";

const SHELVES: readonly Shelf[] = ["facts", "outputs", "values"];

/** An open database. Every method throws StorageUnusable where the browser refuses. */
export class Store {
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  /** Opens or makes the database of that name. */
  static async open(name: string): Promise<Store> {
    const request = guarded(() => indexedDB.open(name, VERSION));
    request.onupgradeneeded = () => {
      for (const shelf of SHELVES) request.result.createObjectStore(shelf, { autoIncrement: shelf === "facts" });
    };
    const database = await resultOf(request);
    database.onversionchange = () => {
      database.close();
    };
    return new Store(database);
  }

  /** One value; undefined where there is none. */
  async get(shelf: Shelf, key: IDBValidKey): Promise<unknown> {
    return resultOf(guarded(() => this.#database.transaction(shelf).objectStore(shelf).get(key)));
  }

  /** All keys of a shelf in order, each with its value. */
  async entries(shelf: Shelf): Promise<[IDBValidKey, unknown][]> {
    const objects = guarded(() => this.#database.transaction(shelf).objectStore(shelf));
    const [keys, values] = await Promise.all([resultOf(objects.getAllKeys()), resultOf(objects.getAll())]);
    return keys.map((key, i) => [key, values[i]]);
  }

  /** Does all of `change` in one transaction; when this resolves it is on disk. */
  async write(shelves: readonly Shelf[], change: (objects: (shelf: Shelf) => IDBObjectStore) => void): Promise<void> {
    const transaction = guarded(() => this.#database.transaction([...shelves], "readwrite", { durability: "strict" }));
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => {
        resolve();
      };
      transaction.onabort = () => {
        reject(unusable(transaction.error));
      };
    });
    guarded(() => {
      change((shelf) => transaction.objectStore(shelf));
    });
    await done;
  }

  /** Puts one value. */
  async put(shelf: Shelf, key: IDBValidKey, value: unknown): Promise<void> {
    await this.write([shelf], (objects) => objects(shelf).put(value, key));
  }

  /** The value of a name, made and kept where there is none; two tabs that ask at once get the same. */
  async getOrMake<T>(name: string, make: () => T): Promise<T> {
    let found: unknown;
    await this.write(["values"], (objects) => {
      const request = objects("values").get(name);
      request.onsuccess = () => {
        found = request.result as unknown;
        if (found === undefined) objects("values").put((found = make()), name);
      };
    });
    return found as T;
  }

  /** Closes the database. */
  close(): void {
    this.#database.close();
  }
}

function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(unusable(request.error));
    };
  });
}

function guarded<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw unusable(error);
  }
}

function unusable(error: unknown): StorageUnusable {
  const why = error instanceof Error ? `: ${error.message || error.name}` : "";
  return new StorageUnusable(`This browser does not keep what the device has to remember${why}`, { cause: error });
}
