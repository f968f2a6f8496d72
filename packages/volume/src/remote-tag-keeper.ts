import type { WorkerServices } from '@ensconce/fuse/worker';
import { VolumeError } from './errors.ts';
import type { Advance, TagKeeper, TagState } from './tag-keeper.ts';

type Question =
  | { readonly ask: 'read' }
  | { readonly ask: 'acquire'; readonly expected: TagState; readonly tag: Uint8Array }
  | { readonly ask: 'advance'; readonly epoch: number; readonly from: Uint8Array; readonly to: Uint8Array };

type Answer =
  | { readonly answer: 'read'; readonly state: TagState }
  | { readonly answer: 'acquire'; readonly epoch: number | undefined }
  | { readonly answer: 'advance'; readonly result: Advance }
  | { readonly answer: 'failed'; readonly message: string };

/** Milliseconds for which a mount waits for the keeper. */
const patience = 60_000;

/** The worker's side of a keeper that lives in the parent thread, where there are connections and promises. */
export class RemoteTagKeeper implements TagKeeper {
  readonly protects = true;
  readonly #services: Pick<WorkerServices, 'post' | 'receive'>;
  #done: ((result: Advance) => void) | undefined;

  constructor(services: Pick<WorkerServices, 'post' | 'receive'>) {
    this.#services = services;
  }

  /** Whether an answer is on its way. */
  get asking(): boolean {
    return this.#done !== undefined;
  }

  #ask(question: Question): void {
    this.#services.post({ keeper: question });
  }

  #wait(): Answer {
    const answer = this.#services.receive(patience) as { keeper: Answer } | undefined;
    if (!answer)
      throw new VolumeError(
        'VOLUME_KEEPER',
        'volume: an answer of the keeper of its tag expected, none came',
      );
    if (answer.keeper.answer === 'failed')
      throw new VolumeError(
        'VOLUME_KEEPER',
        `volume: the keeper of its tag refused: ${answer.keeper.message}`,
      );
    return answer.keeper;
  }

  read(): TagState {
    this.#ask({ ask: 'read' });
    const answer = this.#wait();
    if (answer.answer !== 'read') throw new RangeError('answers come in the order of questions');
    return answer.state;
  }

  acquire(expected: TagState, tag: Uint8Array): number | undefined {
    this.#ask({ ask: 'acquire', expected, tag });
    const answer = this.#wait();
    if (answer.answer !== 'acquire') throw new RangeError('answers come in the order of questions');
    return answer.epoch;
  }

  advance(epoch: number, from: Uint8Array, to: Uint8Array, done: (result: Advance) => void): void {
    this.#done = done;
    this.#ask({ ask: 'advance', epoch, from, to });
  }

  /** The same keeper, whose every answer is waited for: to make a volume with, before it is served. */
  waiting(): TagKeeper {
    return {
      protects: true,
      read: () => this.read(),
      acquire: (expected, tag) => this.acquire(expected, tag),
      advance: (epoch, from, to, done) => {
        this.#ask({ ask: 'advance', epoch, from, to });
        const answer = this.#wait();
        done(answer.answer === 'advance' ? answer.result : 'unreachable');
      },
    };
  }

  /** Takes a message of the parent; undefined stands for none in time. */
  receive(message: unknown): void {
    const answer = (message as { keeper?: Answer } | undefined)?.keeper;
    const done = this.#done;
    this.#done = undefined;
    done?.(answer?.answer === 'advance' ? answer.result : 'unreachable');
  }
}

/** A keeper behind a connection, as CAS is. `advance` rejects where nobody knows what became of it. */
export interface AsyncTagKeeper {
  read(): Promise<TagState>;
  acquire(expected: TagState, tag: Uint8Array): Promise<number | undefined>;
  advance(epoch: number, from: Uint8Array, to: Uint8Array): Promise<'accepted' | 'superseded'>;
}

/** The parent's side: answers one message of a worker (`ServeOptions.onMessage`); false if it is not for a keeper. */
export function answerTagKeeper(
  keeper: AsyncTagKeeper,
  message: unknown,
  post: (value: unknown) => void,
  log: (line: string) => void,
): boolean {
  const question = (message as { keeper?: Question } | undefined)?.keeper;
  if (!question) return false;
  const reply = (answer: Answer): void => post({ keeper: answer });
  const failed = (error: unknown): void => {
    const text = error instanceof Error ? error.message : 'not an error was thrown';
    log(`keeper of the volume's tag: ${text}`);
    reply(
      question.ask === 'advance'
        ? { answer: 'advance', result: 'unreachable' }
        : { answer: 'failed', message: text },
    );
  };
  const asked = async (): Promise<void> => {
    if (question.ask === 'read') reply({ answer: 'read', state: await keeper.read() });
    else if (question.ask === 'acquire')
      reply({ answer: 'acquire', epoch: await keeper.acquire(question.expected, question.tag) });
    else
      reply({ answer: 'advance', result: await keeper.advance(question.epoch, question.from, question.to) });
  };
  asked().catch(failed);
  return true;
}
