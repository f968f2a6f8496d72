import type { AsyncTagKeeper } from '@ensconce/volume/remote-tag-keeper';
import type { TagState } from '@ensconce/volume/tag-keeper';
import type { VolumeAnswer } from '@ensconce/wire/volume-tags';
import type { CasLink } from './cas-link.ts';
import type { Question } from './cas-questions.ts';
import { RuntimeError } from './errors.ts';

const bytes = (tag: string | null): Uint8Array | undefined =>
  tag === null ? undefined : Uint8Array.fromHex(tag);

/** The tag of one volume, kept by CAS. */
export class CasTagKeeper implements AsyncTagKeeper {
  readonly #link: Pick<CasLink, 'ask'>;
  readonly #volume: string;
  /** The newest state that this writer settled. */
  #settled: { readonly epoch: number; readonly tag: string } | undefined;

  constructor(link: Pick<CasLink, 'ask'>, volume: string) {
    this.#link = link;
    this.#volume = volume;
  }

  async read(): Promise<TagState> {
    const { tag, epoch } = await this.#ask({ type: 'volume-read', volume: this.#volume }, 'volume-state');
    return { tag: bytes(tag), epoch };
  }

  async acquire(expected: TagState, tag: Uint8Array): Promise<number | undefined> {
    const answer = await this.#ask(
      {
        type: 'volume-acquire',
        volume: this.#volume,
        expected: { tag: expected.tag?.toHex() ?? null, epoch: expected.epoch },
        tag: tag.toHex(),
      },
      'volume-acquired',
    );
    if (answer.epoch === null) return undefined;
    this.#settled = { epoch: answer.epoch, tag: tag.toHex() };
    return answer.epoch;
  }

  async advance(epoch: number, from: Uint8Array, to: Uint8Array): Promise<'accepted' | 'superseded'> {
    const { result } = await this.#ask(
      { type: 'volume-advance', volume: this.#volume, epoch, from: from.toHex(), to: to.toHex() },
      'volume-advanced',
    );
    if (result === 'accepted') this.#settled = { epoch, tag: to.toHex() };
    return result;
  }

  /** Tells CAS that the volume is no longer in use here. */
  async close(): Promise<void> {
    if (this.#settled === undefined) return;
    // Only the audit log has this; a container's end does not wait for a CAS that is away.
    await this.#ask({ type: 'volume-close', volume: this.#volume, ...this.#settled }, 'volume-closed', 0);
  }

  async #ask<Type extends VolumeAnswer['type']>(
    question: Question,
    type: Type,
    patience?: number,
  ): Promise<Extract<VolumeAnswer, { type: Type }>> {
    const answer = await this.#link.ask(question, patience);
    if (answer.type === type) return answer as Extract<VolumeAnswer, { type: Type }>;
    throw answer.type === 'volume-failed'
      ? new RuntimeError('CAS_REFUSED', `CAS: ${answer.reason}`)
      : new RuntimeError('CAS_ANSWER', `CAS: ${type} expected, ${answer.type} found`);
  }
}
