import { onlineManager } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Connection } from "./connection";

let asked: number[];
let there: boolean;
let connection: Connection;

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  onlineManager.setOnline(true);
  asked = [];
  there = false;
  connection = new Connection({
    ask: async () => {
      asked.push(Date.now());
      return there;
    },
    wait: (ms, then) => {
      const timer = setTimeout(then, ms);
      return () => clearTimeout(timer);
    },
  });
});
afterEach(() => void vi.useRealTimers());

it("asks an absent server now and then until it answers, and then no more", async () => {
  connection.unheard();
  connection.unheard();
  expect(onlineManager.isOnline()).toBe(true);
  await vi.advanceTimersByTimeAsync(46_000);
  expect(onlineManager.isOnline()).toBe(false);
  expect(asked).toEqual([0, 1_000, 3_000, 7_000, 15_000, 30_000, 45_000]);
  there = true;
  await vi.advanceTimersByTimeAsync(15_000);
  expect(onlineManager.isOnline()).toBe(true);
  expect(connection.lastAnswer).toBe(60_000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(8);
});

it("stops asking when any other request is answered", async () => {
  connection.unheard();
  await vi.advanceTimersByTimeAsync(1_500);
  connection.heard();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(2);
  expect(onlineManager.isOnline()).toBe(true);
});

it("does not take one lost request for a lost server", async () => {
  there = true;
  for (let n = 0; n < 3; n += 1) {
    connection.unheard();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(onlineManager.isOnline()).toBe(true);
  }
  expect(asked).toHaveLength(3);
});

it("knows of an earlier answer only while there was none in this visit", () => {
  connection.recall(5);
  expect(connection.lastAnswer).toBe(5);
  connection.heard();
  connection.recall(5);
  expect(connection.lastAnswer).toBe(0);
});
