import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { addNag } from './nag.ts';
import { buildPlatform } from './platform.ts';
import { checkedPlatform } from './checked.ts';

// The entry point that cdk.json names. Everything comes from the catalog, models.json and the context.
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
  version: string;
};
const app = new App({
  analyticsReporting: false,
  // Its rules read templates for longer than they take to make, and change none: who compares templates may do without.
  builtinCloudFormationValidation: process.env.AGENTMILL_VALIDATION !== 'off',
});
addNag(app);
buildPlatform(app, { ...checkedPlatform(), version });
app.synth();
