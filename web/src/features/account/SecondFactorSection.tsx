import { Button, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
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
import { QrCode } from "../../ui/QrCode";
import { Rows } from "../../ui/Rows";
import { CurrentPassword } from "./CurrentPassword";
import { refusalOf } from "./refusal";

/** Codes of an authenticator beside the password: enrolled, and removed. */
export function SecondFactorSection() {
  const { t } = useTranslation("account");
  const factor = useSecondFactor();
  return (
    <section className="card panel" aria-labelledby="second-factor-title">
      <h2 className="panel-title" id="second-factor-title">
        {t("factor.title")}
      </h2>
      {factor.isError && <Failure message={messageOf(factor.error)} onRetry={() => void factor.refetch()} />}
      {factor.isPending && <Rows label={t("factor.loading")} count={2} />}
      {factor.data && (factor.data.enabled ? <Enabled left={factor.data.recoveryCodes} /> : <Disabled />)}
    </section>
  );
}

function Disabled() {
  const { t } = useTranslation("account");
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
      <p className="lead">{t("factor.lead")}</p>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          {offer.isError && <Failure message={refusalOf(offer.error)} />}
          <CurrentPassword value={password} onChange={setPassword} missing={checked && !password} />
          <div>
            <Button type="submit" loading={offer.isPending}>
              {t("factor.setUp")}
            </Button>
          </div>
        </Stack>
      </form>
    </>
  );
}

function Confirm({ secret, uri }: { secret: string; uri: string }) {
  const { t } = useTranslation("account");
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
        <p className="lead">{t("factor.scan")}</p>
        <QrCode text={uri} label={t("factor.qr")} />
        <Copyable label={t("factor.secret")} text={secret} testId="second-factor-secret" />
        {confirm.isError && !isWrong && <Failure message={refusalOf(confirm.error, true)} />}
        <TextInput
          label={t("factor.code")}
          inputMode="numeric"
          autoComplete="one-time-code"
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
          error={isWrong && t("factor.wrongCode")}
          autoFocus
        />
        <div>
          <Button type="submit" loading={confirm.isPending}>
            {t("factor.turnOn")}
          </Button>
        </div>
      </Stack>
    </form>
  );
}

function Recovery({ codes }: { codes: string[] }) {
  const { t } = useTranslation("account");
  const seen = useSecondFactorSeen();
  return (
    <Stack gap="md">
      <p className="lead" role="status">
        {t("factor.keep")}
      </p>
      <Copyable label={t("factor.recoveryCodes")} text={codes.join("\n")} testId="recovery-codes" />
      <div>
        <Button onClick={() => void seen()}>{t("factor.kept")}</Button>
      </div>
    </Stack>
  );
}

function Enabled({ left }: { left: number }) {
  const { t } = useTranslation("account");
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
        {t("factor.on", { count: left })}
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
            label={t("factor.code")}
            description={t("factor.codeHint")}
            autoComplete="one-time-code"
            value={form.code}
            onChange={(event) => {
              const code = event.currentTarget.value;
              setForm((before) => ({ ...before, code }));
            }}
            error={checked && !form.code.trim() && t("factor.enterCode")}
          />
          <div>
            <Button type="submit" variant="default" loading={remove.isPending}>
              {t("factor.turnOff")}
            </Button>
          </div>
        </Stack>
      </form>
    </>
  );
}
