import { Button, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import {
  useConfirmSecondFactor,
  useOfferSecondFactor,
  useRemoveSecondFactor,
  useSecondFactor,
  useSecondFactorSeen,
} from "../../api/account";
import { ApiError, messageOf } from "../../api/errors";
import { Copyable } from "../../ui/Copyable";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { QrCode } from "../../ui/QrCode";
import { CurrentPassword } from "./CurrentPassword";
import { refusalOf } from "./refusal";

/** Codes of an authenticator beside the password: enrolled, and removed. */
export function SecondFactorSection() {
  const factor = useSecondFactor();
  return (
    <section className="card panel" aria-labelledby="second-factor-title">
      <h2 className="panel-title" id="second-factor-title">
        Second factor
      </h2>
      {factor.isError && <Failure message={messageOf(factor.error)} onRetry={() => void factor.refetch()} />}
      {factor.isPending && <Loading label="Loading the second factor" />}
      {factor.data && (factor.data.enabled ? <Enabled left={factor.data.recoveryCodes} /> : <Disabled />)}
    </section>
  );
}

function Disabled() {
  const [password, setPassword] = useState("");
  const [checked, setChecked] = useState(false);
  const offer = useOfferSecondFactor();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (password) offer.mutate(password);
  };
  if (offer.data) return <Confirm secret={offer.data.secret} uri={offer.data.uri} />;
  return (
    <>
      <p className="lead">
        An authenticator app shows a code that changes every 30 seconds. With it, a stolen password alone opens nothing.
      </p>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          {offer.isError && <Failure message={refusalOf(offer.error)} />}
          <CurrentPassword value={password} onChange={setPassword} missing={checked && !password} />
          <div>
            <Button type="submit" loading={offer.isPending}>
              Set up an authenticator
            </Button>
          </div>
        </Stack>
      </form>
    </>
  );
}

function Confirm({ secret, uri }: { secret: string; uri: string }) {
  const [code, setCode] = useState("");
  const confirm = useConfirmSecondFactor();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (code.trim()) confirm.mutate(code.trim());
  };
  if (confirm.data) return <Recovery codes={confirm.data} />;
  const isWrong = confirm.error instanceof ApiError && confirm.error.status === 422;
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <p className="lead">Scan this with the app, or type the secret. Then enter the code that it shows.</p>
        <QrCode text={uri} label="Secret for the authenticator" />
        <Copyable label="Secret" text={secret} testId="second-factor-secret" />
        {confirm.isError && !isWrong && <Failure message={refusalOf(confirm.error, true)} />}
        <TextInput
          label="Code"
          inputMode="numeric"
          autoComplete="one-time-code"
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
          error={isWrong && "This is not the code of now. Is the phone's clock right?"}
          autoFocus
        />
        <div>
          <Button type="submit" loading={confirm.isPending}>
            Turn on
          </Button>
        </div>
      </Stack>
    </form>
  );
}

function Recovery({ codes }: { codes: string[] }) {
  const seen = useSecondFactorSeen();
  return (
    <Stack gap="md">
      <p className="lead" role="status">
        It is on. Keep these recovery codes where the phone is not: each is good once in place of a code, and they are
        shown only now.
      </p>
      <Copyable label="Recovery codes" text={codes.join("\n")} testId="recovery-codes" />
      <div>
        <Button onClick={() => void seen()}>I have kept them</Button>
      </div>
    </Stack>
  );
}

function Enabled({ left }: { left: number }) {
  const [form, setForm] = useState({ password: "", code: "" });
  const [checked, setChecked] = useState(false);
  const remove = useRemoveSecondFactor();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (form.password && form.code.trim()) remove.mutate({ password: form.password, code: form.code.trim() });
  };
  return (
    <>
      <p className="lead" data-testid="second-factor-on">
        On. A code is asked for when you sign in; {left} recovery {left === 1 ? "code is" : "codes are"} left.
      </p>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          {remove.isError && <Failure message={refusalOf(remove.error, true)} />}
          <CurrentPassword
            value={form.password}
            onChange={(password) => setForm((before) => ({ ...before, password }))}
            missing={checked && !form.password}
          />
          <TextInput
            label="Code"
            description="Of your authenticator, or a recovery code"
            autoComplete="one-time-code"
            value={form.code}
            onChange={(event) => {
              const code = event.currentTarget.value;
              setForm((before) => ({ ...before, code }));
            }}
            error={checked && !form.code.trim() && "Enter a code"}
          />
          <div>
            <Button type="submit" variant="default" loading={remove.isPending}>
              Turn off
            </Button>
          </div>
        </Stack>
      </form>
    </>
  );
}
