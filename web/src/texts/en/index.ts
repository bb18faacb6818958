import account from "./account.json";
import administration from "./administration.json";
import audit from "./audit.json";
import books from "./books.json";
import common from "./common.json";
import dashboards from "./dashboards.json";
import deadLetters from "./deadLetters.json";
import device from "./device.json";
import errors from "./errors.json";
import fleet from "./fleet.json";
import links from "./links.json";
import live from "./live.json";
import setup from "./setup.json";
import shell from "./shell.json";
import signIn from "./signIn.json";
import ui from "./ui.json";

export default {
  common,
  account,
  administration,
  audit,
  books,
  dashboards,
  deadLetters,
  device,
  errors,
  fleet,
  links,
  live,
  setup,
  shell,
  signIn,
  ui,
};
