import type { Readable } from 'node:stream';

/** Everything that a verb takes from its surroundings. */
export interface Io {
  readonly stdin: Readable;
  /** Data. */
  readonly stdout: (text: string) => void;
  /** Everything else. */
  readonly stderr: (text: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** From here on signals are the verb's own business: it passes them on to a program that it runs. */
  readonly releaseSignals: () => void;
}
