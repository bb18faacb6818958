/** Milliseconds from recording to receipt beyond which a reading is late: the threshold of the server's `late` counts. */
export const LATE_MS = 60_000;
