import * as v from 'valibot';
import { superseded } from '@ensconce/wire/attestation';
import type { FrameConnection } from '@ensconce/wire/frames';
import { volumeAnswer, type VolumeAnswer, type VolumeQuestion } from '@ensconce/wire/volume-tags';
import { RuntimeError } from './errors.ts';

type Without<Member, Key extends string> = Member extends unknown ? Omit<Member, Key> : never;
/** A question before it has its number. */
export type Question = Without<VolumeQuestion, 'id'>;

interface Waiting {
  readonly resolve: (answer: VolumeAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Questions and answers on an attested connection, by number. Once the connection has failed, every question fails. */
export class CasQuestions {
  readonly #frames: FrameConnection;
  readonly #timeout: number;
  readonly #onSuperseded: () => void;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #failure: Error | undefined;

  /** `timeout` in milliseconds, for each answer; `onSuperseded` is told when CAS ends the connection for a newer start. */
  constructor(frames: FrameConnection, timeout: number, onSuperseded: () => void = () => undefined) {
    this.#frames = frames;
    this.#timeout = timeout;
    this.#onSuperseded = onSuperseded;
    void this.#listen();
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  ask(question: Question): Promise<VolumeAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#failure) {
        reject(this.#failure);
        return;
      }
      const id = this.#next++;
      const timer = setTimeout(() => {
        this.#fail(
          new RuntimeError(
            'CAS_UNREACHABLE',
            `CAS: an answer within ${this.#timeout} ms expected, none came`,
          ),
        );
        this.#frames.close();
      }, this.#timeout);
      this.#waiting.set(id, { resolve, reject, timer });
      try {
        this.#frames.send({ ...question, id });
      } catch (error) {
        this.#fail(error as Error);
      }
    });
  }

  async #listen(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#frames.receive();
        if (v.is(superseded, frame)) {
          this.#onSuperseded();
          throw new RuntimeError('CAS_REFUSED', 'CAS: a newer start of this service counts now');
        }
        const parsed = v.safeParse(volumeAnswer, frame);
        const waiting = parsed.success ? this.#waiting.get(parsed.output.id) : undefined;
        if (!parsed.success || waiting === undefined)
          throw new RuntimeError('CAS_ANSWER', 'CAS: the answer to a question expected, another frame found');
        this.#waiting.delete(parsed.output.id);
        clearTimeout(waiting.timer);
        waiting.resolve(parsed.output);
      }
    } catch (error) {
      this.#fail(error as Error);
      this.#frames.close();
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(this.#failure);
    }
    this.#waiting.clear();
  }
}
