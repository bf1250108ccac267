/** What is kept in this browser: IndexedDB. A transaction is all or nothing, also when the browser crashes in it. */

const VERSION = 1;

/** IndexedDB cannot be read or written. The message is a sentence for people. */
export class StorageUnusable extends Error {
  override name = "StorageUnusable";
}

/** A database's object stores by name: whether their values have keys or are numbered in the order in which they came. */
export type Shelves<Shelf extends string> = Readonly<Record<Shelf, "keyed" | "numbered">>;

/** An open database. Every method throws StorageUnusable where the browser refuses. */
export class Store<Shelf extends string> {
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  /** Opens or makes the database of that name. */
  static async open<Shelf extends string>(name: string, shelves: Shelves<Shelf>): Promise<Store<Shelf>> {
    const request = guarded(() => indexedDB.open(name, VERSION));
    request.onupgradeneeded = () => {
      for (const [shelf, kind] of Object.entries(shelves)) {
        request.result.createObjectStore(shelf, { autoIncrement: kind === "numbered" });
      }
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

  /** The value of a key, made and kept where there is none; two tabs that ask at once get the same. */
  async getOrMake<T>(shelf: Shelf, key: IDBValidKey, make: () => T): Promise<T> {
    let found: unknown;
    await this.write([shelf], (objects) => {
      const request = objects(shelf).get(key);
      request.onsuccess = () => {
        found = request.result as unknown;
        if (found === undefined) objects(shelf).put((found = make()), key);
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
  return new StorageUnusable(`This browser does not keep what this app has to remember${why}`, { cause: error });
}
