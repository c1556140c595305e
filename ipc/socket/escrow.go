package socket

import (
	"context"
	"net/http"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// escrows is what concerns the escrow. Each request that needs it open brings what opens it.
func escrows(a *agent.Agent) []route {
	return []route{
		{"GET /v1/escrow", get(func(*http.Request) (api.Escrow, error) { return a.Escrow(), nil })},
		{"POST /v1/escrow/init", made(a.EscrowInit)},
		{"POST /v1/escrow/recipients", made(a.EscrowAdd)},
		{"POST /v1/escrow/recipients/remove", unsealed(maxPassword, here(a.EscrowRemove))},
		{"POST /v1/escrow/drill", unsealed(maxPassword, here(a.EscrowDrill))},
		{"POST /v1/escrow/backup", backup(a)},
		{"POST /v1/escrow/open", unsealed(maxBackup, here(a.EscrowOpen))},
		{"POST /v1/restore", unsealedStream(a.Restore)},
		{"POST /v1/export", export(a)},
		{"POST /v1/plan/apply", unsealedStream(a.Apply)},
		{"POST /v1/resume", unsealedStream(a.ResumeWith)},
		{"POST /v1/keys/{name}/lost", unsealed(maxPassword, a.KeyLost)},
		{"POST /v1/accounts/{name}/rotate", rotate(a)},
		{"POST /v1/accounts/{name}/rotate/end", named(a.RotateEnd)},
		{"POST /v1/accounts/{name}/runbook", unsealed(maxRunbook, a.SetRunbook)},
		{"POST /v1/accounts/{name}/runbook/show", runbook(a)},
	}
}

// backup answers with the file.
func backup(a *agent.Agent) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := readJSON[struct{}](w, r); err != nil {
			return err
		}
		file, err := a.EscrowBackup(r.Context(), connOf(r).caller())
		if err != nil {
			return err
		}
		write(w, http.StatusOK, []string{api.BackupType}, file)
		return nil
	}
}

// rotate answers with steps and a report.
func rotate(a *agent.Agent) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return unsealedStream(func(ctx context.Context, who agent.Caller, req api.RotateRequest, secrets []*oath.Secret, step func(api.Step)) (api.Report, error) {
			return a.Rotate(ctx, who, r.PathValue("name"), req, secrets, step)
		})(w, r)
	}
}

// runbook answers with the text.
func runbook(a *agent.Agent) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		req, secrets, err := readSealed[api.RunbookRequest](w, r, maxPassword)
		forget(w, r)
		if err != nil {
			return err
		}
		text, err := a.Runbook(r.Context(), connOf(r).caller(), r.PathValue("name"), req, secrets)
		scour()
		if err != nil {
			return err
		}
		defer text.Wipe()
		return writeSecret(w, textType[0], nil, text)
	}
}

// export answers with a line of JSON and the seed behind it.
func export(a *agent.Agent) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		req, secrets, err := readSealed[api.ExportRequest](w, r, maxPassword)
		forget(w, r)
		if err != nil {
			return err
		}
		exported, seed, err := a.Export(r.Context(), connOf(r).caller(), req, secrets)
		scour()
		if err != nil {
			return err
		}
		defer seed.Wipe()
		return writeSecret(w, api.SecretsType, encode(exported), seed)
	}
}
