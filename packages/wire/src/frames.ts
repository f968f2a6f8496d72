import { EnsconceError } from '@ensconce/base/errors';
import { parseJson, type Json } from '@ensconce/base/json';

export type FrameErrorCode = 'FRAME_SIZE' | 'FRAME_CLOSED' | 'FRAME_TIMEOUT';

/** A connection that did not carry the frame that was due. */
export class FrameError extends EnsconceError<FrameErrorCode> {}

/** The part of a socket that frames need; `net.Socket` and `tls.TLSSocket` have it. */
export interface FrameSocket {
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  write(data: Uint8Array): boolean;
  destroy(): unknown;
}

const headerSize = 4;

/** One JSON value as a frame: u32 big-endian length, then that many bytes of UTF-8. */
export function encodeFrame(value: Json): Buffer {
  const text = JSON.stringify(value);
  const size = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(headerSize + size);
  frame.writeUInt32BE(size, 0);
  frame.write(text, headerSize);
  return frame;
}

/** The frame of a JSON value whose UTF-8 is there already, in parts. */
export function frameOf(...json: readonly Uint8Array[]): Buffer {
  const size = json.reduce((sum, part) => sum + part.length, 0);
  const frame = Buffer.allocUnsafe(headerSize + size);
  let at = frame.writeUInt32BE(size, 0);
  for (const part of json) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** Who waits for a frame: gets its value, or an error, or hears that there will be none. */
interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly end: () => void;
}

/**
 * JSON frames over a stream (docs/protocol/frames.md). The peer is untrusted: a frame longer than `limit` bytes, or a
 * second unread one beyond `limit` bytes in all, ends the connection. Values stay `unknown` until a schema has read them.
 */
export class FrameConnection {
  readonly #socket: FrameSocket;
  readonly #limit: number;
  readonly #what: string;
  /** What has arrived and is not delivered yet stands from #start to #end; the rest is room to grow. */
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  #failure: Error | undefined;
  /** The connection is over, and nothing was wrong with it. */
  #ended = false;
  #waiting: Waiting | undefined;

  constructor(socket: FrameSocket, what: string, limit: number) {
    this.#socket = socket;
    this.#what = what;
    this.#limit = limit;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (cause) =>
      this.#fail(new FrameError('FRAME_CLOSED', `${what}: the connection failed`, { cause })),
    );
    socket.on('close', () => this.#finish());
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#settle()?.reject(this.#failure);
  }

  #finish(): void {
    if (this.#failure !== undefined) return;
    this.#ended = true;
    this.#settle()?.end();
  }

  #settle(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  #closed(): FrameError {
    return new FrameError('FRAME_CLOSED', `${this.#what}: the other side closed the connection`);
  }

  #refuseSize(announced: number): void {
    this.#fail(
      new FrameError(
        'FRAME_SIZE',
        `${this.#what}: a frame of at most ${this.#limit} bytes expected, ${announced} found`,
      ),
    );
    this.#buffer = Buffer.alloc(0);
    this.#start = this.#end = 0;
    this.#socket.destroy();
  }

  /** Doubles the room when it is short, so that a peer who sends single bytes costs no more than their number. */
  #append(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#buffer.length) {
      const unread = this.#buffer.subarray(this.#start, this.#end);
      const grown = Buffer.allocUnsafeSlow(Math.max(unread.length + chunk.length, 2 * unread.length));
      grown.set(unread);
      this.#buffer = grown;
      this.#start = 0;
      this.#end = unread.length;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  #receive(chunk: Uint8Array): void {
    if (this.#failure !== undefined) return;
    const unread = this.#end - this.#start + chunk.length;
    if (unread > 2 * (this.#limit + headerSize)) {
      this.#refuseSize(unread);
      return;
    }
    this.#append(chunk);
    this.#deliver();
  }

  #next(): { value: unknown } | undefined {
    const unread = this.#buffer.subarray(this.#start, this.#end);
    if (unread.length < headerSize) return undefined;
    const announced = unread.readUInt32BE(0);
    if (announced > this.#limit) {
      this.#refuseSize(announced);
      return undefined;
    }
    const end = headerSize + announced;
    if (unread.length < end) return undefined;
    this.#start += end;
    return { value: parseJson(unread.subarray(headerSize, end), this.#what, this.#limit) };
  }

  #deliver(): void {
    if (this.#waiting === undefined) return;
    try {
      const next = this.#next();
      if (next !== undefined) this.#settle()?.resolve(next.value);
    } catch (error) {
      this.#fail(error as Error);
      this.#socket.destroy();
    }
  }

  send(value: Json): void {
    this.sendEncoded(encodeFrame(value));
  }

  /** Sends what {@link encodeFrame} gave. */
  sendEncoded(frame: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#ended) throw this.#closed();
    this.#socket.write(frame);
  }

  /** The next frame's value. One reader at a time; `timeout` in milliseconds, without it waits as long as the connection lives. */
  receive(timeout?: number): Promise<unknown> {
    this.#refuseSecondReader();
    return new Promise((resolve, reject) => {
      const timer = timeout === undefined ? undefined : setTimeout(() => this.#refuseDelay(timeout), timeout);
      this.#wait({
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
        end: () => {
          clearTimeout(timer);
          reject(this.#closed());
        },
      });
    });
  }

  /** The next frame's value, or undefined where the connection ends first: to those who follow a peer to its end, that is no error. */
  next(): Promise<unknown> {
    this.#refuseSecondReader();
    return new Promise((resolve, reject) => {
      this.#wait({ resolve, reject, end: () => resolve(undefined) });
    });
  }

  #refuseSecondReader(): void {
    if (this.#waiting !== undefined) throw new RangeError('two readers on one frame connection');
  }

  #wait(waiting: Waiting): void {
    this.#waiting = waiting;
    this.#deliver();
    if (this.#failure !== undefined) this.#fail(this.#failure);
    else if (this.#ended) this.#finish();
  }

  #refuseDelay(timeout: number): void {
    this.#fail(
      new FrameError('FRAME_TIMEOUT', `${this.#what}: an answer within ${timeout} ms expected, none came`),
    );
    this.#socket.destroy();
  }

  close(): void {
    this.#socket.destroy();
  }
}
