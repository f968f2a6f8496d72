import { loadKoffi } from '@ensconce/fuse/native';
import type { Moment } from './clock.ts';

/** CLOCK_REALTIME_COARSE of clock_gettime(2). */
const realtimeCoarse = 5;

/**
 * The wall clock as the kernel reads it for the times of files, which goes on a few milliseconds at a time: where the kernel keeps
 * some times itself, those that are set here must not be later than its own.
 */
export function coarseClock(koffiPath?: string): () => Moment {
  const getTime = loadKoffi(koffiPath).load(null).func('int clock_gettime(int clock, void *time)');
  const time = new BigInt64Array(2);
  return () => {
    getTime(realtimeCoarse, time);
    return { seconds: Number(time[0]), nanoseconds: Number(time[1]) };
  };
}
