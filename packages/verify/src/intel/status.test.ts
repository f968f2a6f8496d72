import assert from 'node:assert/strict';
import { test } from 'node:test';
import { converge, intelStatuses, joinMatches, type IntelStatus } from './status.ts';

/** Rows of Intel's quote verification library: what an out-of-date component makes of the platform's status. */
const withOutOfDate: Readonly<Record<IntelStatus, IntelStatus>> = {
  UpToDate: 'OutOfDate',
  SWHardeningNeeded: 'OutOfDate',
  ConfigurationNeeded: 'OutOfDateConfigurationNeeded',
  ConfigurationAndSWHardeningNeeded: 'OutOfDateConfigurationNeeded',
  OutOfDate: 'OutOfDate',
  OutOfDateConfigurationNeeded: 'OutOfDateConfigurationNeeded',
  Revoked: 'Revoked',
};

void test('one revoked component revokes, one out of date dates, and nothing else changes the platform’s status', () => {
  for (const platform of intelStatuses) {
    for (const one of intelStatuses) {
      for (const other of intelStatuses) {
        const both = [one, other];
        const expected = both.includes('Revoked')
          ? 'Revoked'
          : both.includes('OutOfDate')
            ? withOutOfDate[platform]
            : platform;
        assert.equal(converge(platform, both), expected, `${platform} with ${both.join(' and ')}`);
      }
    }
    assert.equal(converge(platform, []), platform);
  }
});

void test('several matches have the earliest date and all advisories, each once', () => {
  const match = (date: string, advisories: string[]) => ({ status: 'UpToDate' as const, date, advisories });
  assert.deepEqual(
    joinMatches([
      match('2025-05-14T00:00:00Z', ['INTEL-SA-2', 'INTEL-SA-1']),
      match('2023-08-09T00:00:00Z', []),
      match('2024-03-13T00:00:00Z', ['INTEL-SA-1', 'INTEL-SA-3']),
    ]),
    { date: '2023-08-09T00:00:00Z', advisories: ['INTEL-SA-1', 'INTEL-SA-2', 'INTEL-SA-3'] },
  );
});
