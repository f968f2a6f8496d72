import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intelStatuses } from '../intel/status.ts';
import { relaunchStatus } from './evaluate.ts';

const good = ['UpToDate', 'SWHardeningNeeded', 'ConfigurationNeeded', 'ConfigurationAndSWHardeningNeeded'];

void test('a launch out of date is advised to be repeated only where the platform is good by now, and keeps its status else', () => {
  for (const launch of intelStatuses) {
    for (const current of intelStatuses) {
      const outdated = launch === 'OutOfDate' || launch === 'OutOfDateConfigurationNeeded';
      const configuration = launch.includes('Configuration') || current.includes('Configuration');
      const advised = configuration ? 'TDRelaunchAdvisedConfigurationNeeded' : 'TDRelaunchAdvised';
      const expected = outdated && good.includes(current) ? advised : launch;
      assert.equal(relaunchStatus(launch, current), expected, `${launch}, then ${current}`);
    }
  }
});
