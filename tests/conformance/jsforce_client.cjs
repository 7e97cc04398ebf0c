/*
 * One scenario of jsforce against an org, for test_jsforce.py.
 *
 * stdin: {scenario, folder, org, ...} as JSON; stdout: what the scenario found, as JSON. What is right is decided
 * by the test: here nothing is checked and nothing is caught but what a scenario is about.
 */
'use strict';

const { createRequire } = require('node:module');
const { text } = require('node:stream/consumers');

const POLL_MS = 50;

const refusal = (call) => call.then(() => null, ({ errorCode, name, message }) => ({ errorCode, name, message }));

const scenarios = {
  async login({ jsforce, org }) {
    const conn = new jsforce.Connection({ loginUrl: org.https_url });
    const user = await conn.login(org.username, org.password + org.security_token);
    const { records } = await conn.query('SELECT Id FROM Organization');
    const wrong = await refusal(new jsforce.Connection({ loginUrl: org.https_url }).login(org.username, 'no'));
    return { user, instanceUrl: conn.instanceUrl, orgId: records[0].Id, wrong };
  },

  async oauth({ jsforce, org }) {
    const oauth2 = { loginUrl: org.https_url, clientId: org.client_id, clientSecret: org.client_secret };
    const byPassword = new jsforce.Connection({ oauth2 });
    const user = await byPassword.login(org.username, org.password + org.security_token);

    // A dead access token: the library asks for a new one by itself, and repeats the call.
    const refreshed = [];
    const byRefresh = new jsforce.Connection({
      oauth2, instanceUrl: org.https_url, accessToken: '00D000000000000!dead', refreshToken: org.refresh_token,
    });
    byRefresh.on('refresh', (token) => refreshed.push(token));
    const { records } = await byRefresh.query('SELECT Id FROM Organization');
    const identity = await byPassword.identity();

    const dead = byPassword.accessToken;
    await byPassword.logout();
    const stranger = new jsforce.Connection({ instanceUrl: org.https_url, accessToken: dead });
    const afterLogout = await refusal(stranger.query('SELECT Id FROM Organization'));
    return { user, identity, refreshes: refreshed.length, orgId: records[0].Id, afterLogout };
  },

  async query({ conn, soql }) {
    const fetched = [];
    const query = conn.query(soql).on('record', (record) => fetched.push(record.Id));
    const { records } = await query.run({ autoFetch: true, maxFetch: 100000 });
    const first = await conn.query(soql);
    const more = await conn.queryMore(first.nextRecordsUrl);
    const built = await conn.sobject('Contact').find({ LastName: { $ne: null } }, 'Id').limit(5).execute();
    return {
      fetched,
      records: records.map(({ Id }) => Id),
      first: first.records.map(({ Id }) => Id),
      more: more.records.map(({ Id }) => Id),
      totalSize: first.totalSize,
      isDone: [first.done, more.done],
      built: built.length,
    };
  },

  async describe({ conn, object }) {
    const described = await conn.sobject(object).describe$();
    const again = await conn.sobject(object).describe$();
    const all = await conn.describeGlobal();
    return { described, isCached: described === again, names: all.sobjects.map(({ name }) => name) };
  },

  async limits({ conn }) {
    await conn.query('SELECT Id FROM Organization');
    const before = conn.limitInfo;
    await conn.query('SELECT Id FROM Organization');
    return { before, after: conn.limitInfo, limits: await conn.limits() };
  },

  async errors({ conn }) {
    return {
      field: await refusal(conn.query('SELECT Naem FROM Account')),
      syntax: await refusal(conn.query('SELEKT')),
      object: await refusal(conn.sobject('Nothing__c').describe()),
      record: await refusal(conn.sobject('Account').retrieve('0017Q00000ZZZZZ')),
      bulk: await refusal(conn.bulk2.query('SELECT Naem FROM Account')),
    };
  },

  async crud({ conn }) {
    const accounts = conn.sobject('Account');
    const made = await accounts.create({ Name: 'Made by jsforce', NumberOfEmployees: 7 });
    const updated = await accounts.update({ Id: made.id, Name: 'Changed by jsforce' });
    const read = await accounts.retrieve(made.id);
    const removed = await accounts.destroy(made.id);
    const incomplete = await refusal(conn.sobject('Contact').create({ FirstName: 'nobody' }));
    return { made, updated, read, removed, gone: await refusal(accounts.retrieve(made.id)), incomplete };
  },

  async tooling({ conn }) {
    const soql = "SELECT Id FROM ValidationRule WHERE ValidationName = 'Email_or_phone'";
    const [{ Id }] = (await conn.tooling.query(soql)).records;
    const rules = conn.tooling.sobject('ValidationRule');
    const before = await rules.retrieve(Id);
    const on = await rules.update({ Id, Metadata: { ...before.Metadata, active: true } });
    const between = await rules.retrieve(Id);
    await rules.update({ Id, Metadata: before.Metadata });
    return { before, on, between, after: await rules.retrieve(Id) };
  },

  async readers({ conn, soql }) {
    conn.bulk.pollInterval = conn.bulk2.pollInterval = POLL_MS;
    return {
      rest: await conn.query(soql).run({ autoFetch: true, maxFetch: 100000 }),
      bulk1: await (await conn.bulk.query(soql)).toArray(),
      bulk2: await (await conn.bulk2.query(soql)).toArray(),
      deletedToo: (await (await conn.bulk2.query(soql, { scanAll: true })).toArray()).length,
    };
  },
};

async function main() {
  const input = JSON.parse(await text(process.stdin));
  const jsforce = createRequire(`${input.folder}/`)('jsforce');
  const { https_url: instanceUrl, access_token: accessToken } = input.org;
  const conn = new jsforce.Connection({ instanceUrl, accessToken, version: '60.0' });
  const found = await scenarios[input.scenario]({ ...input, jsforce, conn });
  process.stdout.write(JSON.stringify(found));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
