import { Buffer } from 'node:buffer';
import { constants, zstdCompress } from 'node:zlib';
import type { LayerEntry } from './entry.ts';
import { SealedLayerError } from './errors.ts';
import { FileStream } from './file-stream.ts';
import {
  chunkSize,
  encodeHeader,
  encodeSummary,
  encodeUnitRecord,
  headerSize,
  maxPages,
  method,
  pageSize,
  rootOf,
  summarySize,
  unitRecordSize,
  type Purpose,
  type UnitRecord,
} from './format.ts';
import { encodeIndex } from './index-encoder.ts';
import { keyCommitment, layerKeys, type LayerKeys } from './keys.ts';
import { LayerTree, type LayerNode } from './layer-tree.ts';
import { sealUnit } from './unit.ts';

const level = 5;

/** Names what compresses the chunks; it enters the layer key. */
export const compressor: string = `zstd ${process.versions.zstd} level ${level}`;

/** Chunks of one layer that are compressed or wait to be written at one time. */
const maxInFlight = 12;

/** Where the sealed layer goes; positions count from its start. Calls do not overlap. */
export interface SealedOutput {
  write(bytes: Uint8Array, position: number): Promise<void>;
}

export interface SealedLayerResult {
  /** Hex; authenticates the whole file. */
  readonly root: string;
  /** Bytes. */
  readonly size: number;
  readonly nodes: number;
  readonly chunks: number;
  /** Sum of the sizes of all files. */
  readonly totalBytes: number;
}

interface Body {
  readonly method: number;
  readonly bytes: Uint8Array;
}

/** Compresses in the thread pool; what does not get smaller stays as it is. */
function compress(plain: Uint8Array): Promise<Body> {
  const { promise, resolve, reject } = Promise.withResolvers<Body>();
  zstdCompress(
    plain,
    {
      // One call of the pool for the whole chunk: the output never needs a second buffer.
      chunkSize: plain.length + 1024,
      pledgedSrcSize: plain.length,
      params: { [constants.ZSTD_c_compressionLevel]: level },
    },
    (error, bytes) => {
      if (error) reject(error);
      else if (bytes.length < plain.length) resolve({ method: method.zstd, bytes });
      else resolve({ method: method.raw, bytes: plain });
    },
  );
  return promise;
}

/**
 * Seals one layer as its entries arrive: `add` each entry in archive order, after a regular file its contents by
 * `write` and `hole`, and `finish`. The same entries and key give the same bytes. Memory grows with the number of
 * entries, not with their contents.
 */
export class SealedLayerWriter {
  readonly #keys: LayerKeys;
  readonly #commitment: Uint8Array;
  readonly #output: SealedOutput;
  readonly #tree = new LayerTree();
  readonly #chunks: UnitRecord[] = [];
  #chunk = Buffer.allocUnsafeSlow(chunkSize);
  #chunkLength = 0;
  #submitted = 0;
  #streamLength = 0;
  #offset = headerSize;
  #last: Promise<void> = Promise.resolve();
  readonly #inFlight: Promise<void>[] = [];
  #file: { node: LayerNode; stream: FileStream } | undefined;

  constructor(options: { readonly key: Uint8Array; readonly output: SealedOutput }) {
    this.#keys = layerKeys(options.key);
    this.#commitment = keyCommitment(options.key);
    this.#output = options.output;
  }

  /** Adds an entry from an untrusted archive; one that no engine would unpack is a {@link SealedLayerError}. */
  async add(entry: LayerEntry): Promise<void> {
    await this.#endFile();
    const node = this.#tree.add(entry);
    if (node?.kind !== 'file') return;
    node.position = this.#streamLength;
    this.#file = { node, stream: new FileStream(this.#streamLength, (bytes) => this.#append(bytes)) };
  }

  /** Contents of the file added last. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#openFile().write(bytes);
  }

  /** `length` zeros in the file added last. */
  async hole(length: number): Promise<void> {
    await this.#openFile().hole(length);
  }

  #openFile(): FileStream {
    if (this.#file === undefined) throw new TypeError('contents follow a regular file');
    return this.#file.stream;
  }

  async #endFile(): Promise<void> {
    if (this.#file === undefined) return;
    const { node, stream } = this.#file;
    this.#file = undefined;
    const { size, extents } = await stream.end();
    node.size = size;
    node.extents = extents;
  }

  /** A promise only where the caller must wait. */
  #append(bytes: Uint8Array): Promise<void> | undefined {
    this.#streamLength += bytes.length;
    let at = 0;
    let full = false;
    while (at < bytes.length) {
      const length = Math.min(bytes.length - at, chunkSize - this.#chunkLength);
      this.#chunk.set(bytes.subarray(at, at + length), this.#chunkLength);
      this.#chunkLength += length;
      at += length;
      if (this.#chunkLength === chunkSize) {
        this.#submit(this.#chunk);
        this.#chunk = Buffer.allocUnsafeSlow(chunkSize);
        this.#chunkLength = 0;
        full = true;
      }
    }
    return full ? this.#drain(maxInFlight) : undefined;
  }

  async #drain(limit: number): Promise<void> {
    while (this.#inFlight.length > limit) await this.#inFlight.shift();
  }

  #submit(plain: Uint8Array): void {
    const index = this.#submitted++;
    const body = compress(plain);
    const previous = this.#last;
    const done = (async () => {
      const [{ method, bytes }] = await Promise.all([body, previous]);
      this.#chunks.push(await this.#put('chunk', index, method, plain.length, bytes));
    })();
    // The rejection is reported by whoever awaits the queue; a failed run may never get there.
    done.catch(() => {});
    this.#last = done;
    this.#inFlight.push(done);
  }

  async #put(
    kind: Purpose,
    index: number,
    unitMethod: number,
    plainLength: number,
    body: Uint8Array,
  ): Promise<UnitRecord> {
    const { record, stored } = sealUnit(this.#keys, kind, index, this.#offset, unitMethod, plainLength, body);
    this.#offset += stored.length;
    await this.#output.write(stored, record.offset);
    return record;
  }

  /** Writes the index, the table and, last, the header. */
  async finish(): Promise<SealedLayerResult> {
    await this.#endFile();
    if (this.#chunkLength > 0) this.#submit(this.#chunk.subarray(0, this.#chunkLength));
    await this.#drain(0);
    const { index, summary } = encodeIndex(this.#tree.root, this.#chunks, this.#streamLength);
    const pages = Math.ceil(index.length / pageSize);
    if (pages > maxPages) {
      throw new SealedLayerError(
        'SEALED_LIMIT',
        `an index of at most ${maxPages} pages expected, ${pages} found`,
        { hint: 'split the layer: it holds too many files' },
      );
    }
    const table = new Uint8Array(summarySize + pages * unitRecordSize);
    encodeSummary(summary, pages, table);
    for (let page = 0; page < pages; page++) {
      const plain = index.subarray(page * pageSize, (page + 1) * pageSize);
      const { method, bytes } = await compress(plain);
      const record = await this.#put('page', page, method, plain.length, bytes);
      encodeUnitRecord(record, table, summarySize + page * unitRecordSize);
    }
    const tableRecord = await this.#put('table', 0, method.raw, table.length, table);
    const header = encodeHeader({
      keyCommitment: this.#commitment,
      fileSize: this.#offset,
      table: tableRecord,
      tableLength: table.length,
    });
    await this.#output.write(header, 0);
    return {
      root: rootOf(header),
      size: this.#offset,
      nodes: summary.nodes,
      chunks: summary.chunks,
      totalBytes: summary.totalBytes,
    };
  }
}
