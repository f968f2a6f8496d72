import assert from 'node:assert/strict';
import type { Verdict } from '@ensconce/verify/verdict';

/**
 * Flips a bit of every byte of evidence. Each must lead to a refusal, or to the same claims where nobody signs the byte. Gives the number of
 * bytes that nobody signs.
 */
export async function checkFlips(
  evidence: Uint8Array,
  judge: (bytes: Uint8Array) => Promise<Verdict>,
  end = evidence.length,
): Promise<number> {
  const reference = await judge(evidence);
  assert.equal(reference.outcome, 'genuine', JSON.stringify(reference.failures));
  const same = JSON.stringify({ ...reference.toJSON(), checks: [] });
  let unsigned = 0;
  for (let i = 0; i < end; i++) {
    const verdict = await judge(Uint8Array.from(evidence).with(i, (evidence[i] as number) ^ 1));
    if (verdict.outcome !== 'genuine') continue;
    unsigned++;
    assert.equal(JSON.stringify({ ...verdict.toJSON(), checks: [] }), same, `byte ${i}`);
  }
  return unsigned;
}
