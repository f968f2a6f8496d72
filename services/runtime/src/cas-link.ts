import { setTimeout as sleep } from 'node:timers/promises';
import { causeChain } from '@ensconce/base/errors';
import type { ServiceEvent } from '@ensconce/wire/attestation';
import type { VolumeAnswer } from '@ensconce/wire/volume-tags';
import type { CasSession } from './cas-client.ts';
import type { Question } from './cas-questions.ts';
import type { Log } from './log.ts';

export interface CasLinkOptions {
  /** Attests on a new connection; a verdict lives no longer than its connection. `again` but for the first time. */
  readonly connect: (again: boolean) => Promise<CasSession>;
  readonly log: Log;
  /** Milliseconds for which a question waits for CAS to come back; 20 s unless given. */
  readonly patience?: number;
}

/** The way to CAS while the application runs: when CAS was away, the next question attests anew. */
export class CasLink {
  readonly #options: CasLinkOptions;
  #session: CasSession;
  #connecting: Promise<CasSession> | undefined;

  private constructor(options: CasLinkOptions, session: CasSession) {
    this.#options = options;
    this.#session = session;
  }

  static async open(options: CasLinkOptions): Promise<CasLink> {
    return new CasLink(options, await options.connect(false));
  }

  /** What CAS gave at the first attestation; it counts for the life of the container. */
  get first(): Pick<CasSession, 'configuration' | 'simulated' | 'insecureWithoutEvidence'> {
    return this.#session;
  }

  /**
   * Asks, again on a new connection where the answer was lost: every question may be asked twice (docs/protocol/attestation.md).
   *
   * `patience` in milliseconds, for this question.
   *
   * @throws Error where CAS could not be reached in time, or refuses this container now
   */
  async ask(question: Question, patience = this.#options.patience ?? 20_000): Promise<VolumeAnswer> {
    const end = Date.now() + patience;
    for (let pause = 50; ; pause = Math.min(2 * pause, 2000)) {
      try {
        const session = this.#session.alive ? this.#session : await this.#reconnect();
        return await session.ask(question);
      } catch (error) {
        if (Date.now() + pause > end) throw error;
        await sleep(pause);
      }
    }
  }

  send(event: ServiceEvent): void {
    this.#session.send(event);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  #reconnect(): Promise<CasSession> {
    this.#connecting ??= this.#attest().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #attest(): Promise<CasSession> {
    const { connect, log } = this.#options;
    try {
      this.#session = await connect(true);
      log('INFO', 'connected to CAS again');
      return this.#session;
    } catch (error) {
      log('DEBUG', `CAS: ${causeChain(error).join(': ')}`);
      throw error;
    }
  }
}
