// Budgets on large traces: time to the first full painting (three times the budget here, for busy machines), nodes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, openTrace } from './browser.mjs';
import { sendLargeTrace, traceIdOf } from './otlp.mjs';
import { startServer, until } from './server.mjs';

const SLACK = 3;
const MOST_NODES = 2500;
let server;
let browser;
before(async () => {
  server = await startServer();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const { spans, budget } of [
  { spans: 5_000, budget: 150 },
  { spans: 100_000, budget: 800 },
]) {
  test(`${spans} spans are painted in time, all of them reachable`, async (context) => {
    const id = traceIdOf(spans);
    await sendLargeTrace(server.otlp, spans, spans);
    await until(async () => {
      const answer = await fetch(`${server.origin}/api/v1/traces/${id}`);
      return answer.ok && (await answer.json()).spans === spans;
    }, 'the whole trace being stored');
    const { page, shoot, check, close } = await openPage(browser, server.origin);
    await page.goto('/traces?live=0');
    await page.locator(`#trace-${id}`).waitFor();
    // What was never loaded is the network's time: the first opening fetches the page's code as well.
    const cold = await openTrace(page, `/trace/${id}`);
    const warm = await openTrace(page, `/trace/${id}`);
    context.diagnostic(
      `${spans} spans painted after ${cold.toFixed(0)} ms, again after ${warm.toFixed(0)} ms`,
    );
    assert.ok(warm <= SLACK * budget, `${warm} ms is over ${SLACK} x ${budget} ms`);
    const grid = page.getByRole('treegrid', { name: 'Spans' });
    assert.equal(await grid.getAttribute('aria-rowcount'), String(spans + 1));
    await grid.focus();
    await page.keyboard.press('End');
    await page.waitForFunction(
      (count) => document.querySelector('[role=row][aria-selected=true]')?.ariaRowIndex === String(count + 1),
      spans,
    );
    assert.ok((await page.evaluate(() => document.querySelectorAll('*').length)) <= MOST_NODES);
    await shoot(`large-${spans}`);
    await page.keyboard.press('2');
    await page.getByRole('list', { name: 'Conversation' }).getByText('Model call').first().waitFor();
    assert.ok((await page.evaluate(() => document.querySelectorAll('*').length)) <= MOST_NODES);
    await check();
    await close();
  });
}
