import { Button } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useEraseTenant, useErasure } from "../../api/tenants";
import type { Tenant } from "../../api/types";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { Failure } from "../../ui/Failure";
import { formatCount } from "../../ui/format";

/** Erases a suspended tenant for good, and shows how far that has come. */
export function EraseTenant({ tenant, onErased }: { tenant: Tenant; onErased(): void }) {
  const { t } = useTranslation("administration");
  const [asking, setAsking] = useState(false);
  const erasure = useErasure(tenant.id, true);
  const erase = useEraseTenant(tenant.id);
  const finished = erasure.data?.finishedAt ?? null;
  const told = useRef(onErased);
  told.current = onErased;
  useEffect(() => {
    if (finished) told.current();
  }, [finished]);

  const parts = Object.entries(erasure.data?.erased ?? {}).filter(([, count]) => count > 0);
  return (
    <section aria-labelledby={`erase-${tenant.id}`}>
      <h2 className="part-title" id={`erase-${tenant.id}`}>
        {t("erase.title")}
      </h2>
      {erasure.isError && <Failure message={messageOf(erasure.error)} />}
      {erasure.data ? (
        <div role="status" data-testid="erasure">
          <progress className="meter" aria-label={t("erase.running")} />
          <p>{t("erase.running")}</p>
          {parts.length > 0 && (
            <p className="muted small">{parts.map(([part, count]) => `${part}: ${formatCount(count)}`).join(" · ")}</p>
          )}
        </div>
      ) : (
        <div className="administration-line">
          <p className="muted">{t("erase.hint")}</p>
          <Button color="red" onClick={() => setAsking(true)}>
            {t("erase.erase")}
          </Button>
        </div>
      )}
      {asking && (
        <ConfirmDialog
          title={t("erase.of", { tenant: tenant.name })}
          action={t("erase.forGood")}
          typed={{ label: t("erase.type", { id: tenant.id }), text: tenant.id }}
          busy={erase.isPending}
          onConfirm={() => erase.mutate(undefined, { onSuccess: () => setAsking(false) })}
          onClose={() => setAsking(false)}
        >
          {erase.isError && <Failure message={messageOf(erase.error)} />}
          <p>{t("erase.means")}</p>
        </ConfirmDialog>
      )}
    </section>
  );
}
