package importer

// freeOTPPlus is what FreeOTP+ exports: {"tokens": […], "tokenOrder": […]}, the tokens as in FreeOTP's
// preferences (github.com/helloworld1/FreeOTPPlus, ImportExportUtil.kt).
var freeOTPPlus = format{
	Format: Format{Name: "freeotp-plus", Program: "FreeOTP+", Kind: "JSON"},
	detect: func(in *input) bool { return in.object("tokens", "tokenOrder") },
	read:   readFreeOTPPlus,
}

func readFreeOTPPlus(in *input) ([]Entry, error) {
	if err := checkJSON(in.data); err != nil {
		return nil, err
	}
	return jsonEntries(jsonAt(in.data, "tokens"), func(t *freeOTPToken) Entry {
		return t.record(freeOTPLow).entry()
	}), nil
}
