import * as v from 'valibot';
import { volumeQuestion, type VolumeAnswer, type VolumeQuestion } from '@ensconce/wire/volume-tags';
import { CasError, publicError } from '../errors.ts';
import type { GivenVolume } from './given-volumes.ts';
import { checkPolicy, type VolumeTags, type VolumeUser } from './volume-tags.ts';

/** Answers the questions of one attested service about the volumes that its session gives it. */
export class VolumeDesk {
  readonly #tags: VolumeTags;
  readonly #user: VolumeUser;
  readonly #volumes: ReadonlyMap<string, GivenVolume>;
  readonly #send: (answer: VolumeAnswer) => void;
  /** What is being done, by name of the volume. */
  readonly #busy = new Map<string, Promise<void>>();

  constructor(options: {
    readonly tags: VolumeTags;
    readonly user: VolumeUser;
    readonly volumes: readonly GivenVolume[];
    readonly send: (answer: VolumeAnswer) => void;
  }) {
    this.#tags = options.tags;
    this.#user = options.user;
    this.#volumes = new Map(options.volumes.map((volume) => [volume.name, volume]));
    this.#send = options.send;
  }

  /**
   * Takes a frame and answers it later; false where it is no question about a volume.
   *
   * @throws CasError `CAS_PROTOCOL`
   */
  take(frame: unknown): boolean {
    const parsed = v.safeParse(volumeQuestion, frame);
    if (!parsed.success) return false;
    const question = parsed.output;
    const volume = this.#volumes.get(question.volume);
    if (volume === undefined) {
      throw new CasError(
        'CAS_PROTOCOL',
        'volume: one that the session gives to this service expected, another found',
      );
    }
    if (this.#busy.has(volume.name)) {
      throw new CasError('CAS_PROTOCOL', 'volume: one question at a time expected, a second one found');
    }
    const done = this.#serve(volume, question).finally(() => this.#busy.delete(volume.name));
    this.#busy.set(volume.name, done);
    return true;
  }

  /** Resolves when everything that was taken has been answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#busy.values());
  }

  async #serve(volume: GivenVolume, question: VolumeQuestion): Promise<void> {
    let answer: VolumeAnswer;
    try {
      answer = await this.#answer(volume, question);
    } catch (error) {
      answer = { type: 'volume-failed', id: question.id, reason: publicError(error).msg.join(': ') };
    }
    try {
      this.#send(answer);
    } catch {
      // The service is gone: it asks again on its next connection, and the answer is the same.
    }
  }

  async #answer({ owner, policy }: GivenVolume, question: VolumeQuestion): Promise<VolumeAnswer> {
    const { id } = question;
    if (question.type === 'volume-read') return { type: 'volume-state', id, ...this.#tags.read(owner) };
    if (question.type === 'volume-close') {
      await this.#tags.close(owner, this.#user, question.epoch, question.tag);
      return { type: 'volume-closed', id };
    }
    checkPolicy(policy, this.#tags.read(owner));
    if (question.type === 'volume-acquire') {
      const epoch = await this.#tags.acquire(owner, this.#user, question.expected, question.tag);
      return { type: 'volume-acquired', id, epoch };
    }
    const result = await this.#tags.advance(owner, question.epoch, question.from, question.to);
    return { type: 'volume-advanced', id, result };
  }
}
