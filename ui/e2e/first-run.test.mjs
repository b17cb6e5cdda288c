// Someone who has never seen it: an empty server, the first trace, and where it leads.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, paintedAfter } from './browser.mjs';
import { agentRun, send, traceIdOf } from './otlp.mjs';
import { startServer } from './server.mjs';

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

test('the empty page says where to send, and shows what was sent wrongly', async () => {
  const { page, shoot, check, close } = await openPage(browser, server.origin);
  await page.goto('/');
  await page.getByRole('heading', { name: 'Waiting for telemetry' }).waitFor();
  const address = new URL(server.otlp).host;
  await page.getByRole('list', { name: 'Receivers' }).getByText(address).waitFor();
  await page.getByRole('tab', { name: 'Python' }).click();
  assert.match(await page.getByRole('tabpanel').innerText(), new RegExp(address));
  await fetch(`${server.otlp}/v1/trace`, { method: 'POST', body: '{}' });
  await page.getByRole('list', { name: 'Receiver events' }).getByText('/v1/trace').first().waitFor();
  await shoot('first-run');
  await check();
  await close();
});

test('the first trace is announced and opens', async () => {
  const { page, shoot, check, close } = await openPage(browser, server.origin);
  await page.goto('/');
  await page.getByRole('heading', { name: 'Waiting for telemetry' }).waitFor();
  await send(server.otlp, agentRun(1));
  const toast = page.getByRole('status').filter({ hasText: 'First trace received' });
  await toast.waitFor();
  await toast.getByRole('link', { name: 'Open' }).click();
  await page.waitForURL(`**/trace/${traceIdOf(1)}`);
  await paintedAfter(page);
  await page.getByRole('treegrid', { name: 'Spans' }).getByText('chat gpt-4o').waitFor();
  await shoot('first-trace');
  await check();
  await close();
});

test('the sample trace is one click away', async () => {
  const fresh = await startServer();
  const { page, check, close } = await openPage(browser, fresh.origin);
  try {
    await page.goto('/');
    await page.getByRole('button', { name: 'Send sample trace' }).click();
    await page.waitForURL('**/trace/*');
    await paintedAfter(page);
    assert.ok((await page.getByRole('treegrid').getByRole('row').count()) > 5);
    await page.getByRole('tab', { name: 'Conversation' }).click();
    await page.getByRole('list', { name: 'Conversation' }).getByText('Model call').first().waitFor();
    await check();
  } finally {
    await close();
    await fresh.stop();
  }
});
