import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlushForecast } from './flush-forecast.ts';

void test('a flush is expected of a file that was always flushed after it was written', () => {
  const forecast = new FlushForecast();
  for (let i = 0; i < 5; i++) {
    forecast.wrote(7);
    assert.equal(forecast.expects(), false);
    forecast.flushed(7);
  }
  forecast.wrote(7);
  assert.equal(forecast.expects(), true);
  assert.equal(forecast.expects(), false, 'once for each write');
  forecast.wrote(7);
  assert.equal(forecast.expects(), true);
  forecast.flushed(7);
  assert.equal(forecast.expects(), false, 'it has come');
});

void test('none is expected after a write to another file, nor after a flush that was none of the last write', () => {
  const forecast = new FlushForecast();
  const usual = (): void => {
    for (let i = 0; i < 6; i++) {
      forecast.wrote(7);
      forecast.flushed(7);
    }
  };
  usual();
  forecast.wrote(8);
  assert.equal(forecast.expects(), false);
  forecast.flushed(7);
  forecast.wrote(7);
  assert.equal(forecast.expects(), false);
  usual();
  forecast.wrote(7);
  assert.equal(forecast.expects(), true);
});
