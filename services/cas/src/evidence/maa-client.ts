import * as v from 'valibot';
import { parseJson } from '@ensconce/base/json';
import { CasError } from '../errors.ts';
import type { MaaTokens } from './maa.ts';

const tokenAnswer = v.object({ token: v.pipe(v.string(), v.maxLength(65_536)) });
const answerLimit = 262_144;
const timeout = 10_000;

/** `fetch`, or what stands for it. */
export type SendRequest = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Asks providers for tokens over the protocol of Microsoft Azure Attestation (REST, 2022-08-01). Sessions name a provider, whoever
 * starts CAS lists those that may be asked: nobody makes CAS send requests elsewhere.
 */
export function maaClient(providers: readonly string[], request: SendRequest = fetch): MaaTokens {
  const allowed = new Set(providers.map((url) => trimmed(url)));
  return async (url, quote) => {
    const provider = trimmed(url);
    if (!allowed.has(provider)) {
      throw new CasError(
        'CAS_SERVICE_UNSUPPORTED',
        `mode maa: one of the attestation providers that this CAS may ask expected, ${provider} found`,
        { hint: `start CAS with --maa-provider ${provider}` },
      );
    }
    try {
      const answer = await request(`${provider}/attest/SgxEnclave?api-version=2022-08-01`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ quote: Buffer.from(quote).toString('base64url') }),
        redirect: 'error',
        signal: AbortSignal.timeout(timeout),
      });
      const body = await bounded(answer);
      if (answer.status !== 200) throw new Error(`${provider}: status 200 expected, ${answer.status} found`);
      return v.parse(tokenAnswer, parseJson(body, provider, answerLimit)).token;
    } catch (cause) {
      throw new CasError(
        'CAS_EVIDENCE_UNDECIDED',
        `mode maa: a token of ${provider} expected, none to be had`,
        {
          cause,
        },
      );
    }
  };
}

const trimmed = (url: string): string => url.replace(/\/+$/, '');

async function bounded(answer: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of answer.body ?? []) {
    size += part.length;
    if (size > answerLimit)
      throw new Error(`an answer of at most ${answerLimit} bytes expected, a longer one found`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
