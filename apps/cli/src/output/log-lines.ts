import { levels, symbols, type DestinationStream } from 'pino';

const warning = levels.values['warn'] ?? 0;

/** Milliseconds that a line waits for others. */
const longestWait = 50;
/** UTF-16 units that wait, at most. */
const longestText = 65_536;

/**
 * Where a log of many lines goes: they leave together, since each way out of the process costs as much as making some lines. A warning and
 * whatever is worse leaves at once, with all before it.
 */
export class LogLines implements DestinationStream {
  /** Has pino tell the level of each line. */
  readonly [symbols.needsMetadataGsym] = true;
  lastLevel = 0;
  readonly #out: (text: string) => void;
  #text = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(out: (text: string) => void) {
    this.#out = out;
  }

  write(line: string): void {
    this.#text += line;
    if (this.lastLevel >= warning || this.#text.length >= longestText) this.flush();
    else this.#timer ??= setTimeout(this.flush, longestWait);
  }

  /** Lets go of all that waits. */
  readonly flush = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#text;
    this.#text = '';
    if (text !== '') this.#out(text);
  };
}
