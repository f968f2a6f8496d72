import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration } from '@ensconce/wire/configuration';
import { Answers } from './answers.ts';

const read = (frame: Buffer): Record<string, unknown> =>
  JSON.parse(frame.subarray(4).toString()) as Record<string, unknown>;

void test('starts that share a configuration are each told on what theirs rests', () => {
  const answers = new Answers();
  const configuration = { session: 's' } as unknown as Configuration;
  const grounds = [
    { simulated: true, insecure: false },
    { simulated: false, insecure: false },
    { simulated: false, insecure: true },
    { simulated: true, insecure: false },
  ];
  for (const { simulated, insecure } of grounds) {
    const { type, configuration: given, ...told } = read(answers.of(configuration, { simulated, insecure }));
    assert.deepEqual([type, given], ['configured', { session: 's' }]);
    assert.deepEqual(told, { simulated, ...(insecure && { insecureWithoutEvidence: true }) });
  }
  assert.equal(
    answers.of(configuration, { simulated: true, insecure: false }),
    answers.of(configuration, { simulated: true, insecure: false }),
  );
});
